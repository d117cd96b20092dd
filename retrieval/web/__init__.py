"""Services beyond the person's own folder: one small file each, all of one shape (`service.Service`), all through one door."""
