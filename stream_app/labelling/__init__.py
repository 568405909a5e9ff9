"""Late truth counted into windows of the predictions' event time. Pure: no I/O, no clock."""
