# Each target sets up what is missing (see seglab/bootstrap.py) and works as the first command on a fresh clone.
PYTHON ?= python3

.PHONY: help study study-full lab test faults

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

study:  ## train Mini-HRNet on the embedded street scenes and redraw the figures
	$(PYTHON) -m seglab study

study-full:  ## train all that the study rests on, but for what is there (a day on two cores)
	$(PYTHON) -m seglab study-full

lab:  ## open notebooks/03_train_minihrnet.ipynb in JupyterLab
	$(PYTHON) -m seglab lab

test:  ## run the tests
	$(PYTHON) -m seglab test

faults:  ## kill, fill, damage and interrupt trainings in full numbers (10 minutes on two cores)
	$(PYTHON) -m seglab faults
