"""From drift reports to people: a pure policy writes `drift-alerts`, one process per sink carries them out."""
