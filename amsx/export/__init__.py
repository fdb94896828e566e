"""Branches of a trained run as files that other programs run: ONNX, TorchScript and `torch.export`."""
