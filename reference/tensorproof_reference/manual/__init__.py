"""The specification for people: the page of each operation and model, made of its docstring, record and samples."""
