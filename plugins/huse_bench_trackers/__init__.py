"""The trackers that huse-bench brings: experiment trackers that a command asks for by name, one module each."""
