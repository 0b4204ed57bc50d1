"""params.yaml as strict, frozen records, one module per section.

Every module may import from here, so of ours this folder imports the vocabulary only. An unknown,
missing or ill-typed key raises `ParamsError`, which names the file and the key; `params` knows the
whole file, `compose` makes it from the profiles in conf/, `explain` and `json_schema` say what its
keys are. No defaults live here: they are in conf/.
"""
