"""What is known about each kind of ERP, as data; `model.py` is the whole language."""
