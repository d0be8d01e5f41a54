"""What torch.onnx does not know: Tidegate's own operators, and a few functions of torch."""
