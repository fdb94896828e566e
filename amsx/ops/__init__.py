"""The drop-in part: adaptive sampling and alignment as differentiable ops. Imports nothing else of amsx."""
