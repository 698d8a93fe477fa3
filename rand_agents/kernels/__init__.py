"""Floor 2: compiled loops for the CPU; they know arrays, no tasks."""
