"""What the commands do, as functions: `from disanat import train, evaluate, compare`.

Planning and preprocessing lie in `planning`: `from planning import plan, preprocess`.
"""
