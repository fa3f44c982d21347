"""Everything that only SQL Server needs: finding its driver, addressing it, signing in, connecting."""
