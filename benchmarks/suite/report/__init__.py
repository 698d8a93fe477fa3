"""What a person reads of a benchmark: the printed tables, and report.html."""
