"""``pyimages ci``: workflows of CI services that run the matrix, an image and a shard in each job."""
