"""Adaptive sampling and alignment as differentiable ops, to be dropped into any model. Imports nothing else of amsx."""
