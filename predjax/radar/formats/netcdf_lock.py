"""The one lock around every netCDF call of the process.

The netCDF and HDF5 libraries are not safe for threads: two threads inside them at once, reading or writing, end
in a segmentation fault. Whoever opens, reads, writes or closes a netCDF file (also through xarray) holds this
lock.
"""

import threading

NETCDF_LOCK = threading.RLock()
