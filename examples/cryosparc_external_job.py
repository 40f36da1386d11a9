"""Bring picks into cryoSPARC as an external job, from which *Extract From Micrographs* goes on.

    python cryosparc_external_job.py picks.cs
    python cryosparc_external_job.py picks.cs --project P3 --workspace W1 --exposures J5 exposures

The first only says what the file holds. picks.cs comes from `cryoglean convert picks.star picks.cs --exposures FILE`,
FILE being the exposures of that same job, so that both mean the same micrographs. Needs cryosparc-tools, of the same
minor version as the server, and once `python -m cryosparc.tools login`.
"""

import argparse

from cryosparc.dataset import Dataset
from cryosparc.tools import CryoSPARC

OUTPUT = "picked_particles"


def send_picks(cs: CryoSPARC, picks: Dataset, project: str, workspace: str, exposures: tuple[str, str]) -> str:
    """Make an external job with these picks; `exposures` are a job and its output, such as ("J5", "exposures").

    Returns the number of the new job, such as "J12".
    """
    job = cs.find_project(project).create_external_job(workspace, title="cryoglean picks")
    job.connect("micrographs", *exposures, slots=["micrograph_blob"])
    job.add_output("particle", name=OUTPUT, slots=["location", "pick_stats"])
    with job.run():
        particles = job.alloc_output(OUTPUT, picks["uid"])  # with the fields that this server wants
        for field in set(particles.fields()) & set(picks.fields()):
            particles[field] = picks[field]
        job.save_output(OUTPUT, particles)
    return job.uid


def main() -> None:
    """Say what the file holds, and send it where a project is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("picks", help="the .cs of cryoglean")
    parser.add_argument("--url", help="as in the browser; by default $CRYOSPARC_BASE_URL")
    parser.add_argument("--project", help="such as P3; without it nothing is sent")
    parser.add_argument("--workspace", default="W1")
    parser.add_argument("--exposures", nargs=2, metavar=("JOB", "OUTPUT"), help="such as J5 exposures")
    asked = parser.parse_args()
    picks = Dataset.load(asked.picks)
    print(len(picks), "particles on", len(set(picks["location/micrograph_uid"])), "micrographs")
    if asked.project:
        if not asked.exposures:
            parser.error("--exposures is missing")
        cs = CryoSPARC(asked.url) if asked.url else CryoSPARC()
        print(send_picks(cs, picks, asked.project, asked.workspace, tuple(asked.exposures)))


if __name__ == "__main__":
    main()
