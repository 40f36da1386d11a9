"""The source notes' experiment: a share of the micrographs is labelled, what do the others bring?"""
