"""Trial of a suite on a real SLURM: one node with two simulated GPUs; the configuration in /etc is not touched.

`python tests/trial_slurm.py` installs Debian's slurmctld, slurmd, slurm-client and munge where they are missing (this needs root),
starts them with their own configuration in a temporary folder, checks what `medimagegan suite --cluster slurm` promises, and stops
everything that it started. It is not part of `make test`, because it takes some minutes."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from conftest import ROOT, SMALL

from medimagegan.studies.suites import load_suite, plan_suite

PACKAGES = {'slurmctld': 'slurmctld', 'slurmd': 'slurmd', 'sbatch': 'slurm-client', 'munged': 'munge'}
PROGRAM = Path(sys.executable).parent / 'medimagegan'
held: list[bool] = []
BEGUN = time.monotonic()


def check(what, good, why=''):
    held.append(bool(good))
    print(f"{time.monotonic() - BEGUN:4.0f} s  {'held  ' if good else 'FAILED'}  {what}{'' if good else f': {why}'}", flush=True)


def skip(why):
    print(f'skipped: {why}')
    raise SystemExit(0)


def wait_for(what, seconds=120, every=.1):
    "Wait for the first true answer; return the last one when the time is over."
    begun = time.monotonic()
    while not (answer := what()) and time.monotonic() - begun < seconds:
        time.sleep(every)
    return answer


def install():
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if sys.platform != 'linux' or os.geteuid() != 0:
        skip('needs root on Linux, to start a SLURM controller and its node')
    if missing and not shutil.which('apt-get'):
        skip(f'no apt-get here to install {", ".join(missing)}')
    if missing:
        print(f'installing {", ".join(missing)}', flush=True)
        env = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
        for words in (['update'], ['install', '-y', '--no-install-recommends', *missing]):
            done = subprocess.run(['apt-get', *words], capture_output=True, text=True, env=env)
            if done.returncode:
                skip(f'apt-get {words[0]} fails: {(done.stderr.strip().splitlines() or ["?"])[-1]}')
    try:
        import dask_jobqueue  # noqa: F401
    except ImportError:
        skip('dask-jobqueue is missing: pip install -e ".[cluster]"')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def start_slurm(at, started):
    "Start a controller and a node with two GPUs; add their processes to `started`."
    host = socket.gethostname().split('.')[0]
    for name in ('state', 'spool', 'munge'):
        (at / name).mkdir(mode=0o755)
    (at / 'slurm.conf').write_text(f'''
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={at}/munge/socket
CredType=cred/munge
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=0
KillWait=5
EnforcePartLimits=ALL
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=40000 Gres=gpu:2
PartitionName=all Nodes={host} Default=YES MaxTime=1-0
''')
    (at / 'gres.conf').write_text(''.join(f'NodeName={host} Name=gpu File={file}\n' for file in ('/dev/null', '/dev/zero')))
    os.environ['SLURM_CONF'] = str(at / 'slurm.conf')
    subprocess.run(['mungekey', '--create', f'--keyfile={at}/munge/key'], check=True)
    for name, words in (('munged', ['--force', f'--key-file={at}/munge/key', f'--socket={at}/munge/socket', f'--pid-file={at}/munge/pid',
                                    f'--log-file={at}/munge/log', f'--seed-file={at}/munge/seed']),
                        ('slurmctld', ['-D']), ('slurmd', ['-D'])):
        words = [name, '--foreground', *words] if name == 'munged' else [name, *words]
        with open(at / f'{name}.txt', 'w') as said:
            started.append(subprocess.Popen(words, stdout=said, stderr=said, start_new_session=True))
        wait_for((at / 'munge' / 'socket').exists, 10)
    if not wait_for(lambda: 'idle' in ask('sinfo', '--noheader', '--format=%T'), 30, .5):
        said = '; '.join(((at / f'{n}.txt').read_text().strip().splitlines() or ['-'])[-1] for n in ('munged', 'slurmctld', 'slurmd'))
        raise RuntimeError(f'SLURM does not start: {said}')


def ask(*words):
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def jobs(states='pending,running'):
    "List the numbers of SLURM's jobs; with all states, also those of jobs that are ending."
    return ask('squeue', '--noheader', '--format=%i', *([f'--states={states}'] if states else [])).split()


def ours(at):
    "List the processes that a suite started, by the mark of the trial in their environment."
    found = {}
    for p in Path('/proc').glob('[0-9]*'):
        with suppress(OSError):
            env = dict(pair.split('=', 1) for pair in (p / 'environ').read_text(errors='replace').split('\0') if '=' in pair)
            if env.get('TRIAL') == str(at) and int(p.name) != os.getpid():
                found[int(p.name)] = env
    return found


def start(at, file, *words, **env):
    "Start the program as a user does."
    return subprocess.Popen([PROGRAM, 'suite', file, '--cluster', 'slurm', '--workers', '2', '--out', at / 'runs', *words], cwd=at,
                            stdout=open(at / 'said.txt', 'w'), stderr=subprocess.STDOUT, text=True, start_new_session=True,  # noqa: SIM115
                            env={**os.environ, 'TRIAL': str(at), 'DASK_CONFIG': str(at / 'dask'), **env})


def said(at):
    return (at / 'said.txt').read_text() if (at / 'said.txt').exists() else ''


def gone(at, what):
    "Check that nothing is left of the program ten seconds after its end."
    wait_for(lambda: not jobs('') and not ours(at), 10)
    check(f'{what}: no job and no process is left', not jobs('') and not ours(at), f'jobs {jobs("")}, processes {sorted(ours(at))}')


def refusals(at, file):
    (at / 'broken').mkdir()
    (at / 'broken' / 'dask_jobqueue.py').write_text('raise ImportError')
    (at / 'broken' / 'dask.yaml').write_text('jobqueue: {slurm: [')
    slurmless = {'PATH': str(PROGRAM.parent)}
    for what, env, wanted in (('a queue that does not exist', {'DASK_JOBQUEUE__SLURM__QUEUE': 'nowhere'}, 'invalid partition'),
                              ('more cores than any node has', {'DASK_JOBQUEUE__SLURM__CORES': '64'}, 'the job was refused'),
                              ('a memory that is none', {'DASK_JOBQUEUE__SLURM__MEMORY': 'much'}, 'much'),
                              ('an interface that is none', {'DASK_JOBQUEUE__SLURM__INTERFACE': 'ib9'}, 'ib9'),
                              ('a file of Dask that is no YAML', {'DASK_CONFIG': str(at / 'broken' / 'dask.yaml')}, 'malformed'),
                              ('no sbatch', slurmless, 'no sbatch on this machine'),
                              ('no dask-jobqueue', {'PYTHONPATH': f"{at}/broken:{os.environ.get('PYTHONPATH', '')}"}, 'pip install'),
                              ('a worker that cannot start', {'DASK_JOBQUEUE__SLURM__PYTHON': '/no/python'}, '/no/python')):
        code = start(at, file, **env).wait(60)
        lines = [line for line in said(at).splitlines() if line.startswith('medimagegan')]
        check(f'{what}: one line, exit 2', code == 2 and len(lines) == 1 and wanted in lines[0] and 'Traceback' not in said(at),
              f'exit {code}: {said(at)}')
    gone(at, 'after refusals')


def late(at, file, node):
    "Let the node accept no jobs: the program waits, and Ctrl-C ends it."
    ask('scontrol', 'update', f'NodeName={node}', 'State=DRAIN', 'Reason=trial')
    for gpus in (0, 1):
        driver = start(at, file, '--set', f'n_gpu={gpus}')
        wait_for(lambda: 'pending' in said(at) or driver.poll() is not None)  # noqa: B023
        about = [ask('scontrol', 'show', 'job', number) for number in jobs()]
        check(f'n_gpu {gpus}: two jobs wait, and that is said', len(about) == 2 and 'pending' in said(at), said(at))
        wanted = ('CPUs/Task=4', 'TimeLimit=04:00:00', 'mem=16G')
        check(f'n_gpu {gpus}: defaults without a file of Dask\'s: {", ".join(wanted)}, {"a" if gpus else "no"} GPU',
              all(all(w in a for w in wanted) and ('gpu:1' in a) == bool(gpus) for a in about), about)
        driver.send_signal(signal.SIGINT)
        code = driver.wait(30)
        check('Ctrl-C while they wait: exit 130', code == 130 and 'Traceback' not in said(at), f'exit {code}: {said(at)}')
        gone(at, 'after Ctrl-C')
    ask('scontrol', 'update', f'NodeName={node}', 'State=RESUME')


def whole(at, file):
    "Execute four runs, two at a time, and kill one job."
    (at / 'dask').mkdir(exist_ok=True)
    (at / 'dask' / 'jobqueue.yaml').write_text('jobqueue: {slurm: {cores: 1, memory: 4GB, job-extra-directives: ["--gres=gpu:1"]}}\n')
    driver, seen, threads, killed = start(at, file), {}, set(), ''
    while driver.poll() is None:
        for env in ours(at).values():
            if number := env.get('SLURM_JOB_ID'):
                seen.setdefault(number, env.get('CUDA_VISIBLE_DEVICES'))
                if 'TQDM_DISABLE' in env:
                    threads.add(env['OMP_NUM_THREADS'])
                    begun = [f for f in (at / 'runs' / 'rates').glob('*/history.csv') if not (f.parent / 'result.json').exists()]
                    if not killed and begun and set(seen.values()) >= {'0', '1'}:
                        killed = number
                        ask('scancel', number)
        time.sleep(.2)
    print(f'        jobs and their CUDA_VISIBLE_DEVICES: {seen}; killed: {killed}; threads of a run: {threads}')
    check('the program ends well', driver.returncode == 0, f'exit {driver.returncode}: {said(at)}')
    gone(at, 'after the suite')
    runs = [Path(cfg.out) / cfg.run for _, cfg in plan_suite(load_suite(file), at / 'runs')]
    check('four results', all(json.loads((r / 'result.json').read_text())['status'] == 'done' for r in runs))
    check('the report is written', '**Answer.**' in (file.parent.parent / 'reports' / 'rates.md').read_text())
    check('both GPUs are used', set(seen.values()) == {'0', '1'}, seen)
    check('a killed job is replaced', killed and len(seen) >= 3, f'killed {killed or "none"} of {seen}')
    steps = [[row.split(',')[1] for row in (r / 'history.csv').read_text().splitlines()[1:]] for r in runs]
    check('no epoch is lost or written twice', all(len(s) == len(set(s)) == 6 for s in steps), steps)
    check("a run has its job's own cores", threads == {'1'}, threads)


def driver_killed(at, file):
    "Kill the driver without a warning: its jobs end by themselves."
    driver = start(at, file, '--set', 'num_epochs=5000')
    wait_for(lambda: list((at / 'runs' / 'rates').glob('*/history.csv')) and len(jobs('running')) == 2)
    driver.kill()
    driver.wait()
    wait_for(lambda: not jobs('') and not ours(at), 60)
    check('kill -9 of the program: its jobs end within a minute', not jobs('') and not ours(at), f'jobs {jobs("")}, {sorted(ours(at))}')


def main():
    install()
    at, daemons = Path(tempfile.mkdtemp(prefix='trial-slurm-')), []
    try:
        at.chmod(0o755)
        (at / 'experiments' / 'suites').mkdir(parents=True)
        shutil.copy(ROOT / 'experiments' / 'experiment.ipynb', at / 'experiments')
        file = at / 'experiments' / 'suites' / 'rates.yaml'
        file.write_text('title: Rates\nquestion: Does the rate matter?\nruns: {slow: {}, fast: {learning_rate: 1e-3}}\nseeds: [0, 1]\n'
                        f'base: {json.dumps({**SMALL, "score_every": 1, "num_epochs": 6})}\n')
        os.environ.update(OMP_NUM_THREADS='1', MEDIMAGEGAN_CACHE=str(at / 'cache'))
        start_slurm(at, daemons)
        parts = {'refusals': lambda: refusals(at, file), 'late': lambda: late(at, file, socket.gethostname().split('.')[0]),
                 'whole': lambda: whole(at, file), 'killed': lambda: driver_killed(at, file)}
        for name in sys.argv[1:] or parts:
            parts[name]()
    except Exception as error:
        check('the trial itself', False, f'{type(error).__name__}: {error}; the last program said: {said(at)}')
    finally:
        if daemons:
            ask('scancel', '--user=root')
            wait_for(lambda: not jobs(''), 10)
        for pid in ours(at):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for process in reversed(daemons):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(at, ignore_errors=True)
    print(f'{len(held)} tried, {sum(held)} held')
    return 0 if all(held) else 1


if __name__ == '__main__':
    raise SystemExit(main())
