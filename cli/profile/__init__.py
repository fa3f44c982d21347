"""`profile ...`: write a profile, check it, look at what it does, try it on a real ERP."""
