"""Start states and checks: one module a lesson, one class an exercise."""
