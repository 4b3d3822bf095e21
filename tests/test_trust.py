"""Files from an untrusted source execute nothing; with the installed command and a kernel it is `python tests/trial_trust.py --full`."""
from trial_trust import trial


def test_hostile_files_are_refused_and_nothing_is_executed():
    tried, faults = trial()
    assert tried > 20 and not faults, '\n'.join(faults)
