"""Wrong settings give one line, whichever way they are given; the whole table is `python tests/trial_settings.py --full`."""
from trial_settings import trial


def test_wrong_settings_are_one_line_and_leave_nothing():
    tried, faults = trial()
    assert tried > 400 and not faults, '\n'.join(faults)
