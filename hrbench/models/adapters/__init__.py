"""Networks of other sources, one file each: called with a name, they return a torch module that speaks as its task's
networks do here. `use: "timm:hrnet_w18"` in a suite calls `timm.build("hrnet_w18", ...)`.
"""
