from nox_envs import load

load("envs.yaml")
