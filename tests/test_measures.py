"""A measure is one row: added at run time, it is in the scores, on the curve, in the report and in the comparison."""
import json

import pytest
from conftest import SMALL

from medimagegan.core.config import TrainConfig
from medimagegan.evaluate.measures import MEASURES, PAIRWISE, Measure, curve_measures
from medimagegan.runs.folder import RunFolder
from medimagegan.runs.report import plot_scores, write_report
from medimagegan.runs.launcher import run
from medimagegan.studies.comparison import Arm
from medimagegan.studies.comparison_report import comparison_table, plot_comparison

CURVE = ['epoch', 'images_seen', 'n', 'KD', 'precision', 'density', 'coverage', 'gap_closed', 'diversity', 'near_duplicates',
         'PSNR', 'SSIM', 'MS-GMSD', 'MDSI', 'HaarPSI', 'verdict']
NEW = [
    Measure('mean shift', lambda pair: (pair.fake.mean(0) - pair.real.mean(0)).norm().item(), 'features', False,
            best=0., bounds=(0., None), on_curve=True, in_comparison=True, range='0 and up'),
    Measure('contrast', lambda a, b: abs(a.float().std() - b.float().std()).item(), 'images', False,
            best=0., bounds=(0., None), on_curve=True, in_comparison=True, range='0 to 255 levels'),
    Measure('MAE', lambda a, b: (a - b).abs().flatten(1).mean(1), 'pairs', False,
            best=0., bounds=(0., 1.), on_curve=True, in_comparison=True, range='0 to 1'),
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> RunFolder:
    "Make a tiny run, trained and scored while the registry has three more rows; they stay for the tests of this file."
    with pytest.MonkeyPatch.context() as patch:
        for row in NEW:
            patch.setitem(PAIRWISE if row.kind == 'pairs' else MEASURES, row.name, row)
        yield run(TrainConfig(**SMALL, score_every=1, out=str(tmp_path_factory.mktemp('runs')), run='new'), log=str)
    assert not {row.name for row in NEW} & {*MEASURES, *PAIRWISE}


def test_the_scores_have_new_measures_with_interval_and_baselines(folder):
    scores = json.loads((folder.path / 'scores.json').read_text(encoding='utf-8'))
    for row in NEW:
        cell = scores['metrics'][row.name]
        assert cell['low'] <= cell['value'] <= cell['high']
        assert {'real vs. real', 'mean image', 'noise'} == {who for who, cells in scores['reference_rows'].items() if row.name in cells}
    assert {cell['metric'] for cell in scores['rows']} == set(PAIRWISE)


def test_the_curve_has_new_measures_as_further_columns(folder):
    columns = list(folder.score_history.columns)
    assert [name for name in columns if name not in {row.name for row in NEW}] == CURVE
    assert set(columns) >= set(curve_measures()), 'every row with on_curve is a column'
    assert folder.score_history[[row.name for row in NEW]].notna().all(axis=None)


def test_the_report_has_new_measures(folder):
    page = write_report(folder).read_text(encoding='utf-8')
    assert not [row.title for row in NEW if row.title not in page]


def test_the_plot_of_the_curve_has_a_panel_for_each_row(folder):
    panels = [ax.get_title() for ax in plot_scores(folder).axes if ax.get_title()]
    assert panels == [row.title for row in curve_measures().values()]


def test_the_comparison_has_new_measures(folder):
    arms = [Arm('one', (folder,))]
    table = comparison_table(arms)
    assert not [row.title for row in NEW if row.title not in table.columns]
    assert not [row.title for row in NEW if table[row.title].eq('').any()], 'values for fakes and baselines'
    panels = {ax.get_title() or ax.get_ylabel() for ax in plot_comparison(arms).axes}
    assert {row.title for row in NEW} <= panels
