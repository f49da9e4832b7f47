"""What `make bench` measures, a module a subject, each with `rows()`.

    make bench                 all of them, into bench/RESULTS.md
    make bench ONLY=traffic    one of them

None is part of `make test`: a figure depends on the machine, and a test must not.
"""
