"""Range tests on disk, and what is read from them."""

import numpy as np
import pytest

from seglab import lr_curve
from seglab.config import Experiment
from seglab.errors import DiskError, RunError
from seglab.lr_curve import LrCurve


def test_a_sweep_that_ends_before_the_loss_turns_has_no_lowest():
    rates, falling = np.arange(40) + 1.0, np.linspace(4, 1, 40)
    turned = np.append(falling[:-1], 2.0)  # lowest at step 38, whose running mean trails by nine steps
    assert set(LrCurve(rates, falling, falling).marks) == {"steepest"}
    assert LrCurve(rates, turned, turned).marks["a tenth of the lowest"] == pytest.approx(3.0)


@pytest.mark.parametrize("rows", ["", "1,2,nan\n", "1,,2\n", "inf,1,2\n"])
def test_a_curve_without_rows_or_numbers_is_damaged(tmp_path, rows):
    curve = LrCurve(*np.ones((3, 2)))
    folder = lr_curve.write(tmp_path / "one", Experiment("tests", "any"), curve)
    (folder / "curve.csv").write_text("lr,loss,smoothed\n" + rows)
    with pytest.raises(RunError, match=r"curve\.csv: damaged \(no rows, or a cell"):
        lr_curve.read(folder)


def test_a_folder_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"file.x: cannot be made \("):
        lr_curve.check_can_be_made(tmp_path / "file" / "x")
    with pytest.raises(RunError, match="range tests are never overwritten") as refused:
        lr_curve.check_can_be_made(tmp_path)
    assert "--resume" not in str(refused.value)
    lr_curve.check_can_be_made(tmp_path / "new" / "one")
    assert not (tmp_path / "new" / "one").exists()
