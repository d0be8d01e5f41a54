"""Small things that every floor may use and that know nothing of recurrent networks."""
