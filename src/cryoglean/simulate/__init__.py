"""Micrographs whose particles are known, made by the physics of the microscope."""
