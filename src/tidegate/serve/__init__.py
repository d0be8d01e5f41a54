"""Models behind the Open Inference Protocol: gRPC and HTTP, batches, streams, reloads, a drain at the end."""
