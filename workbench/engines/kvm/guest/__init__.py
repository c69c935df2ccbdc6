"""A guest whose steps are executed by guest code on real vCPUs."""
