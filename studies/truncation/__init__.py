"""What a limited bond dimension costs a recurrent model: in training, in use, with the readouts fed back or not."""
