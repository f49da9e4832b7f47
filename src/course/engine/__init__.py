"""Where containers and pods run, and what `course up` and `course doctor` do with it."""
