"""Features of other hypervisors: each belongs to the ABI of one shipped design (``Protocol.own_features``).

They are known by name like those of KVM on x86, and left out where all features are meant.
"""
