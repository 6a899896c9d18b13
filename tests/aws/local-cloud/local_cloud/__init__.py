"""The local AWS of Snapferry: MiniStack, the RDS simulator and the template that would be deployed to AWS.

Everything listens on loopback only, and everything that is started is stopped again.
`.venv/bin/python -m local_cloud --help` lists the commands; tests use `LocalCloud`.
"""
