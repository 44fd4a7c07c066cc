"""What tests of more than one folder share: doubles, writers of projects, terminals, expected messages."""
