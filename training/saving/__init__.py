"""What a training keeps on the disk: checkpoints, exports, and the proof that it is finished."""
