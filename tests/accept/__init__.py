"""The acceptance kit: goes through the whole life of copies in an account, asks AWS what nobody could try, and removes
everything that it made. `docs/accept.md` describes it."""
