"""Files that runs leave: found, copied while nobody writes them, kept with their run, read again.

Above: `gateway.jobs`, which has an attempt's files taken, and what shows them. Below: the store.
"""
