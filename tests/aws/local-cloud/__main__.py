"""Lets `python tests/aws/local-cloud demo` work from anywhere, without PYTHONPATH."""

from localcloud.__main__ import main

if __name__ == "__main__":
    main()
