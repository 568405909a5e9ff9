"""Why a score is what it is: contributions of the features, and sentences. Runs in a process of its own."""
