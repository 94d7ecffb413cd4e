# users.auth.php
# <?php exit()?>
# login:passwordhash:Real Name:email:groups
demo:$2y$10$Bduqa4essFZ6Q8WggVh5Tuw6gbvjodhC1JjfFqb/l0b4AApoV8YKu:Demo:demo@example.org:admin,user
