"""What every Splatworks service stands on: artifacts, operations, the gRPC server and the splat table.

Modules are imported by name (``from splatworks_common import ply``); nothing is re-exported here, so that
importing one module never pays for another.
"""
