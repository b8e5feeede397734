"""Response spaces: free text or a list, with decorators that record, meter and share draws."""
