"""What surrounds the training of any model: the devices it runs on and the report it leaves."""
