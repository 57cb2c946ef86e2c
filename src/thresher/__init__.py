"""Convert trained neural networks to spiking ones and simulate them spike by spike."""
