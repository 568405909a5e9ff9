"""Measurements that can be repeated: `python -m bench` lists them, `python -m bench NAME` takes one."""
