"""Statistics as pure functions of arrays: curves, calibration, bounds, intervals. numpy and scipy only."""
