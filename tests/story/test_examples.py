"""The scripts in `examples/` keep to the packages that they are for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from unittest.mock import create_autospec

import numpy as np
import pytest
from PIL import Image

from cryoglean.io.micrographs import micrographs_by_name
from cryoglean.io.picks import write_picks
from cryoglean.picks import Picks

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS, COLUMNS = 300, 400


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cryosparc_gets_the_picks_in_the_fields_that_its_server_wants(tmp_path: Path) -> None:
    """Without a server: every call is held against the package's own methods."""
    controllers = pytest.importorskip("cryosparc.controllers.job")
    dataset, tools = pytest.importorskip("cryosparc.dataset"), pytest.importorskip("cryosparc.tools")
    names = np.array(["a", "a", "b"])
    picks = Picks(names, np.array([[10.0, 20.0], [30.0, 299.0], [0.0, 0.0]]), np.array([0.9, 0.5, 0.1]))
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.new("L", (COLUMNS, ROWS)).save(path)
    write_picks(picks, tmp_path / "picks.cs", micrographs=micrographs_by_name(paths))
    ours = dataset.Dataset.load(tmp_path / "picks.cs")
    cs = create_autospec(tools.CryoSPARC, instance=True)
    job = create_autospec(controllers.ExternalJobController, instance=True)
    job.uid = "J12"
    cs.find_project.return_value.create_external_job.return_value = job
    wanted = [(f"location/{name}", "f4") for name in ("center_x_frac", "center_y_frac", "new_field")]
    wanted.append(("pick_stats/ncc_score", "f4"))
    job.alloc_output.side_effect = lambda _, uids: dataset.Dataset({"uid": uids}).add_fields(wanted)

    made = load("cryosparc_external_job").send_picks(cs, ours, "P3", "W1", ("J5", "exposures"))

    assert made == "J12"
    cs.find_project.assert_called_once_with("P3")
    job.connect.assert_called_once_with("micrographs", "J5", "exposures", slots=["micrograph_blob"])
    (output, sent), _ = job.save_output.call_args
    assert job.add_output.call_args.kwargs["name"] == output
    assert "passthrough" not in job.add_output.call_args.kwargs  # rows of exposures are not rows of particles
    assert sent.fields() == ["uid", *(name for name, _ in wanted)]
    np.testing.assert_array_equal(sent["uid"], ours["uid"])
    np.testing.assert_allclose(sent["location/center_x_frac"] * COLUMNS, picks.xy[:, 0], atol=1e-3)
    np.testing.assert_allclose((1 - sent["location/center_y_frac"]) * ROWS, picks.xy[:, 1], atol=1e-3)
    np.testing.assert_allclose(sent["pick_stats/ncc_score"], picks.score, rtol=1e-6)
