"""Works spread over processes of this machine, or over a Ray cluster; what they do it knows not."""
