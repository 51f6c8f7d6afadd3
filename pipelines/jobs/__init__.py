"""Heavy work in child processes: job.py is the parent's side, worker.py the child's side."""
