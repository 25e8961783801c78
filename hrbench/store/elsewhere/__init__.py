"""Run folders in an object store.

    s3://bucket/runs/pose/
      commits/00000007.json     all that the run folder holds; the highest number counts
      objects/ab/ab12...        files and lists of files, each named by its SHA-256
      leases/<token>.json       that the run with this token is alive
      report.html figures/ ...  pages, under their own names, for people

Objects and commits are created and never overwritten, so whoever has read a commit finds all that it names; nothing is
renamed. An entry is whole as soon as a commit names the list of its files, which is written after all of them. A commit
is created under the next number only if there is none: of two runs that want it one gets it, and the other stops.

A run works in a local copy (`mirror`), readers in copies of what they need (`snapshot`).
"""
